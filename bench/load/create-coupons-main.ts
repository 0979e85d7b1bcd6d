// The maker of described coupons as a process of its own.

import { answerParent } from '../children.ts'
import { createDescribedCoupons } from './create-coupons.ts'

answerParent(createDescribedCoupons)
